package health_test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPictures makes the pictures of the docs, from a real ingest:
//
//	FHCTL_PICTURE_OF=http://127.0.0.1:9477/ FHCTL_PICTURES=docs/images go test ./pkg/health -run TestPictures
func TestPictures(t *testing.T) {
	url, dir := os.Getenv("FHCTL_PICTURE_OF"), os.Getenv("FHCTL_PICTURES")
	if url == "" || dir == "" {
		t.Skip("makes pictures of the page at FHCTL_PICTURE_OF for FHCTL_PICTURES")
	}
	b := openBrowser(t)
	for name, look := range map[string]struct {
		width, height int
		scheme        string
	}{
		"status-light.png": {1200, 564, "light"},
		"status-dark.png":  {1200, 564, "dark"},
		"status-phone.png": {375, 812, "dark"},
	} {
		p := b.tab(look.width, look.height, look.scheme)
		p.visit(url)
		p.until(`document.getElementById("link").textContent === "live"`)
		p.picture(filepath.Join(dir, name), false)
	}
}
