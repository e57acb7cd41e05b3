package files_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/fhctl/fhctl/pkg/files"
)

func ExampleRead() {
	dir, err := os.MkdirTemp("", "files")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "settings.yaml")
	if err := os.WriteFile(path, []byte("batch-size: 100\n"), 0o600); err != nil {
		log.Fatal(err)
	}

	text, err := files.Read(path, 1<<20)
	fmt.Printf("%q %v\n", text, err)

	_, err = files.Read(path, 4)
	var large *files.TooLarge
	fmt.Println(errors.As(err, &large))

	_, err = files.Read(dir, 1<<20)
	var odd *files.NotRegular
	if errors.As(err, &odd) {
		fmt.Println("not read:", odd.Kind)
	}
	// Output:
	// "batch-size: 100\n" <nil>
	// true
	// not read: a directory
}
