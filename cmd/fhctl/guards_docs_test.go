package main

import (
	"go/ast"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// library is a public package: its files, and the names that its text may link to.
type library struct {
	files []goFile // tests included
	names map[string]bool
}

// libraries are the packages below pkg that others may import, by directory.
func libraries(files []goFile) map[string]*library {
	all := map[string]*library{}
	for _, f := range files {
		dir := f.dir()
		if !strings.HasPrefix(dir, "pkg/") || strings.HasPrefix(dir, "pkg/internal") {
			continue
		}
		if all[dir] == nil {
			all[dir] = &library{names: map[string]bool{}}
		}
		all[dir].files = append(all[dir].files, f)
		if !f.isTest() {
			declared(f, all[dir].names)
		}
	}
	return all
}

// declared notes what doc links can lead to in a file: Name, Type.Method and Type.Field.
func declared(f goFile, into map[string]bool) {
	for _, decl := range f.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			name := decl.Name.Name
			if decl.Recv != nil {
				name = receiverType(decl) + "." + name
			}
			into[name] = true
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					into[spec.Name.Name] = true
					for _, name := range members(spec.Type) {
						into[spec.Name.Name+"."+name] = true
					}
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						into[name.Name] = true
					}
				}
			}
		}
	}
}

// members are the fields of a struct, or the methods of an interface.
func members(of ast.Expr) (all []string) {
	var list *ast.FieldList
	switch of := of.(type) {
	case *ast.StructType:
		list = of.Fields
	case *ast.InterfaceType:
		list = of.Methods
	default:
		return nil
	}
	for _, field := range list.List {
		for _, name := range field.Names {
			all = append(all, name.Name)
		}
	}
	return all
}

// receiverType is the name of a method's type.
func receiverType(fn *ast.FuncDecl) (name string) {
	ast.Inspect(fn.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return name == ""
	})
	return name
}

// docLink is [Name], [Type.Method], [package.Name] or, for other text, anything alike.
var docLink = regexp.MustCompile(`\[(?:([a-z]\w*)\.)?([A-Z]\w*(?:\.[A-Z]\w*)?)\]`)

// packageTexts finds packages without a doc.go that says what to call first.
func packageTexts(files []goFile) (found []finding) {
	for dir, lib := range libraries(files) {
		text := ""
		for _, f := range lib.files {
			switch {
			case f.isTest() || f.Doc == nil:
			case path.Base(f.name) == "doc.go":
				text = f.Doc.Text()
				if len(f.Decls) > 0 {
					found = append(found, finding{f.name, "code in doc.go"}) // which no limit of a size counts
				}
			default:
				found = append(found, finding{f.name, "text of the package outside doc.go"})
			}
		}
		if !strings.HasPrefix(text, "Package "+path.Base(dir)+" ") {
			if len(lib.files) > 0 && slices.ContainsFunc(lib.files, func(f goFile) bool { return !f.isTest() }) {
				found = append(found, finding{dir, "no doc.go"})
			}
			continue
		}
		links := docLink.FindAllStringSubmatch(text, -1)
		own := slices.ContainsFunc(links, func(link []string) bool { return link[1] == "" && lib.names[link[2]] })
		if !own && len(lib.names) > 0 {
			found = append(found, finding{dir, "a doc.go that links to nothing of the package"})
		}
		for _, link := range links {
			if link[1] == "" && !lib.names[link[2]] || link[1] != "" && !slices.ContainsFunc(lib.files, func(f goFile) bool { return isImport(f, link[1]) }) {
				found = append(found, finding{dir, "a link to nothing: " + link[0]})
			}
		}
	}
	return found
}

func TestPackageTexts(t *testing.T) {
	const code = "package a; func F() {}; type T struct{ N int }; func (*T) Close() {}"
	for want, files := range map[string]map[string]string{
		"no doc.go":                          {"pkg/a/a.go": code},
		"text of the package outside doc.go": {"pkg/a/a.go": "// Package a does. See [F].\n" + code, "pkg/a/doc.go": "// Package a does. See [F].\npackage a"},
		"code in doc.go":                     {"pkg/a/a.go": code, "pkg/a/doc.go": "// Package a does. See [F].\npackage a; var n int"},
		"a doc.go that links to nothing of the package": {"pkg/a/a.go": code, "pkg/a/doc.go": "// Package a does. Call F.\npackage a"},
		"a link to nothing: [T.Open]":                   {"pkg/a/a.go": code, "pkg/a/doc.go": "// Package a does. See [F], [T.N], [T.Close] and [T.Open].\npackage a"},
		"a link to nothing: [event.Event]":              {"pkg/a/a.go": code, "pkg/a/doc.go": "// Package a does. See [F] and [event.Event].\npackage a"},
	} {
		found := packageTexts(parsed(t, files))
		if len(found) != 1 || found[0].what != want {
			t.Errorf("%v gives %v, want %q alone", files, found, want)
		}
	}
}

// withoutExample finds public packages, test kits aside, that no example shows the use
// of: one in a package of its own, as a stranger's is, whose output is checked.
func withoutExample(files []goFile) (found []finding) {
	for dir, lib := range libraries(files) {
		shipped := slices.ContainsFunc(lib.files, goFile.inLibrary)
		if shipped && !slices.ContainsFunc(lib.files, hasExample) {
			found = append(found, finding{dir, "no example"})
		}
	}
	return found
}

func hasExample(f goFile) bool {
	if !f.isTest() || !strings.HasSuffix(f.Name.Name, "_test") {
		return false
	}
	return slices.ContainsFunc(f.Decls, func(decl ast.Decl) bool {
		fn, ok := decl.(*ast.FuncDecl)
		return ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Example") && slices.ContainsFunc(f.Comments, func(c *ast.CommentGroup) bool {
			said := strings.ToLower(strings.TrimSpace(c.Text()))
			return fn.Body.Pos() < c.Pos() && c.End() < fn.Body.End() &&
				(strings.HasPrefix(said, "output:") || strings.HasPrefix(said, "unordered output:"))
		})
	})
}

// untestedSinks finds types that a pipeline may store to and that no test beside
// sinktest, or in a package that imports it, opens.
func untestedSinks(files []goFile) (found []finding) {
	methods := map[finding]int{} // of a type, of those that make a sink
	makers := map[finding][]string{}
	var tests []goFile
	for _, f := range files {
		if f.isTest() {
			if path.Base(f.dir()) == "sinktest" || f.importName(module+"/pkg/endtest/sinktest", "sinktest") != "" {
				tests = append(tests, f)
			}
			continue
		}
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			switch {
			case !ok:
			case fn.Recv != nil && slices.Contains([]string{"Resume", "Commit", "Poll", "Rebase"}, fn.Name.Name):
				methods[finding{f.dir(), receiverType(fn)}]++
			case fn.Recv == nil && fn.Type.Results != nil:
				for _, result := range fn.Type.Results.List {
					if p, ok := result.Type.(*ast.StarExpr); ok {
						if id, ok := p.X.(*ast.Ident); ok {
							of := finding{f.dir(), id.Name}
							makers[of] = append(makers[of], fn.Name.Name)
						}
					}
				}
			}
		}
	}
	for sink := range maps.Keys(methods) {
		if methods[sink] == 4 && !usesAny(tests, append(makers[sink], sink.what)) {
			found = append(found, sink)
		}
	}
	return found
}

// usesAny reports whether a file says package.Name for one of the names.
func usesAny(files []goFile, names []string) (yes bool) {
	for _, f := range files {
		ast.Inspect(f.File, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			yes = yes || ok && slices.Contains(names, s.Sel.Name)
			return !yes
		})
	}
	return yes
}
