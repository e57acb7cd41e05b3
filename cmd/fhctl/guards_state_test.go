package main

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
)

// packageState finds package variables that are written by functions, ours and those of
// other packages, and those whose type is there to be written: of sync and sync/atomic.
// What a pointer that was taken elsewhere is used for, it does not see.
func packageState(files []goFile) (found []finding) {
	vars := map[string]map[string]*ast.ValueSpec{} // by directory and name
	for _, f := range files {
		if f.isTest() {
			continue
		}
		for _, decl := range f.Decls {
			decl, ok := decl.(*ast.GenDecl)
			if !ok || decl.Tok != token.VAR {
				continue
			}
			for _, spec := range decl.Specs {
				spec := spec.(*ast.ValueSpec)
				for _, name := range spec.Names {
					if name.Name == "_" {
						continue
					}
					if vars[f.dir()] == nil {
						vars[f.dir()] = map[string]*ast.ValueSpec{}
					}
					vars[f.dir()][name.Name] = spec
					if isState(f, spec) {
						found = append(found, finding{f.dir(), name.Name})
					}
				}
			}
		}
	}
	for _, f := range files {
		if f.isTest() {
			continue
		}
		eachWritten(f.File, func(target ast.Expr) {
			if name, ok := packageVariable(f, vars[f.dir()], target); ok {
				found = append(found, finding{f.dir(), name})
			}
		})
	}
	return found
}

// isState reports whether variables are declared as something of sync or sync/atomic
// that changes. Functions such as sync.OnceValue do not count: what they give is always
// the same.
func isState(f goFile, spec *ast.ValueSpec) (yes bool) {
	isSync := func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		return ok && s.Sel.Name != "Locker" && (names(f.importName("sync", "sync"))(n) || names(f.importName("sync/atomic", "atomic"))(n))
	}
	if spec.Type != nil && anywhere(spec.Type, isSync) {
		return true
	}
	for _, value := range spec.Values {
		if pointer, ok := value.(*ast.UnaryExpr); ok {
			value = pointer.X
		}
		if literal, ok := value.(*ast.CompositeLit); ok && literal.Type != nil && anywhere(literal.Type, isSync) {
			return true
		}
	}
	return false
}

// eachWritten tells what the functions of a file write to, or take the address of.
func eachWritten(file *ast.File, tell func(ast.Expr)) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, target := range n.Lhs {
					tell(target)
				}
			}
		case *ast.IncDecStmt:
			tell(n.X)
		case *ast.RangeStmt:
			if n.Tok == token.ASSIGN {
				for _, target := range []ast.Expr{n.Key, n.Value} {
					if target != nil {
						tell(target)
					}
				}
			}
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				tell(n.X)
			}
		case *ast.CallExpr:
			if fn, ok := n.Fun.(*ast.Ident); ok && slices.Contains([]string{"delete", "clear", "copy"}, fn.Name) && len(n.Args) > 0 {
				tell(n.Args[0])
			}
		}
		return true
	})
}

// packageVariable is the name of the package variable that a write changes, or a part of.
func packageVariable(f goFile, vars map[string]*ast.ValueSpec, target ast.Expr) (name string, ok bool) {
	for {
		switch x := target.(type) {
		case *ast.ParenExpr:
			target = x.X
		case *ast.StarExpr:
			target = x.X
		case *ast.IndexExpr:
			target = x.X
		case *ast.SliceExpr:
			target = x.X
		case *ast.SelectorExpr:
			if id, ok := x.X.(*ast.Ident); ok && id.Obj == nil && isImport(f, id.Name) {
				return id.Name + "." + x.Sel.Name, true
			}
			target = x.X
		case *ast.Ident:
			spec, known := vars[x.Name]
			// The parser resolves what the file declares; of other files it knows nothing.
			return x.Name, known && (x.Obj == nil || x.Obj.Decl == spec)
		default:
			return "", false
		}
	}
}

// isImport reports whether the file calls a package by that name.
func isImport(f goFile, name string) bool {
	return slices.ContainsFunc(f.Imports, func(spec *ast.ImportSpec) bool {
		if spec.Name != nil {
			return spec.Name.Name == name
		}
		p, _ := strconv.Unquote(spec.Path.Value)
		return path.Base(p) == name
	})
}
