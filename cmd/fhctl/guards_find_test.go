package main

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// commandsThatImportCommands looks below cmd/fhctl/internal, where shell and settings
// are for all.
func commandsThatImportCommands(files []goFile) (found []finding) {
	const base = "cmd/fhctl/internal/"
	room := func(name string) (string, bool) {
		rest, below := strings.CutPrefix(name, base)
		first, _, _ := strings.Cut(rest, "/")
		_, shared := rooms[base+first]
		return first, below && !shared
	}
	for _, f := range files {
		from, isCommand := room(f.name)
		if !isCommand && !strings.HasPrefix(f.name, base) {
			continue
		}
		for _, spec := range f.Imports {
			p, _ := strconv.Unquote(spec.Path.Value)
			if to, ok := room(strings.TrimPrefix(p, module+"/")); ok && to != from {
				found = append(found, finding{f.name, "imports the command " + to})
			}
		}
	}
	return found
}

// commandLineWord is a flag, or a command of ours, in a text.
var commandLineWord = regexp.MustCompile(`\bfhctl [a-z]|(?:^|[^-\w])--[a-z]`)

// commandLineWords looks into the string literals of libraries; config is about flags.
func commandLineWords(files []goFile) (found []finding) {
	for _, f := range files {
		if !f.inLibrary() || f.dir() == "pkg/config" {
			continue
		}
		ast.Inspect(f.File, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, _ := strconv.Unquote(lit.Value); commandLineWord.MatchString(text) {
					found = append(found, finding{f.name, inTexts})
				}
			}
			return true
		})
	}
	return found
}

// names reports whether a type or value says NAME.Something.
func names(name string) func(ast.Node) bool {
	return func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		x, ok := s.X.(*ast.Ident)
		return ok && x.Name == name
	}
}

// anywhere reports whether the condition holds of a node or of one below it. Bodies
// of functions and fields that are not exported are not looked at.
func anywhere(root ast.Node, holds func(ast.Node) bool) (yes bool) {
	ast.Inspect(root, func(n ast.Node) bool {
		if field, ok := n.(*ast.Field); ok && len(field.Names) > 0 && !slices.ContainsFunc(field.Names, (*ast.Ident).IsExported) && !isParameter(root, field) {
			return false
		}
		if _, ok := n.(*ast.BlockStmt); ok {
			return false
		}
		yes = yes || n != nil && holds(n)
		return !yes
	})
	return yes
}

// isParameter reports whether the field is in a function's list, where names do not
// matter.
func isParameter(root ast.Node, field *ast.Field) (yes bool) {
	ast.Inspect(root, func(n ast.Node) bool {
		if fn, ok := n.(*ast.FuncType); ok {
			yes = yes || slices.Contains(fn.Params.List, field) || fn.Results != nil && slices.Contains(fn.Results.List, field)
		}
		return !yes
	})
	return yes
}

// redisInSignatures finds exported functions, types, variables and constants that show
// a caller a type of go-redis, but for those of the package that connects.
func redisInSignatures(files []goFile) (found []finding) {
	for _, f := range files {
		redis := f.importName(redisPath, "redis")
		if redis == "" || !f.inLibrary() || f.dir() == redisRoom {
			continue
		}
		add := func(name string, exported bool, shown ast.Node) {
			if exported && anywhere(shown, names(redis)) {
				found = append(found, finding{f.dir(), name})
			}
		}
		for _, decl := range f.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				add(decl.Name.Name, decl.Name.IsExported() && (decl.Recv == nil || receiverIsExported(decl)), decl.Type)
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						add(spec.Name.Name, spec.Name.IsExported(), spec.Type)
					case *ast.ValueSpec:
						add(spec.Names[0].Name, slices.ContainsFunc(spec.Names, (*ast.Ident).IsExported), spec)
					}
				}
			}
		}
	}
	return found
}

func receiverIsExported(fn *ast.FuncDecl) bool {
	exported := false
	ast.Inspect(fn.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			exported = exported || id.IsExported()
		}
		return true
	})
	return exported
}

// contextsInStructs finds them by the name of the type, "struct" where it has none.
func contextsInStructs(files []goFile) (found []finding) {
	for _, f := range files {
		name := f.importName("context", "context")
		if name == "" || f.isTest() {
			continue
		}
		of := map[*ast.StructType]string{}
		ast.Inspect(f.File, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				if s, ok := n.Type.(*ast.StructType); ok {
					of[s] = n.Name.Name
				}
			case *ast.StructType:
				for _, field := range n.Fields.List {
					if s, ok := field.Type.(*ast.SelectorExpr); ok && names(name)(s) && s.Sel.Name == "Context" {
						what := of[n]
						if what == "" {
							what = "struct"
						}
						found = append(found, finding{f.dir(), what})
					}
				}
			}
			return true
		})
	}
	return found
}
