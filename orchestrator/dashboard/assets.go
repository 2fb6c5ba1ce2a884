package dashboard

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed assets
var assetFiles embed.FS

// assets are our own files as browsers get them. Their addresses change with what
// is in them, so that they may be kept for ever.
type assets struct {
	addresses map[string]string // by the file's name
	content   map[string][]byte // by what follows /assets/
}

func loadAssets() (*assets, error) {
	all := &assets{addresses: map[string]string{}, content: map[string][]byte{}}
	entries, err := fs.ReadDir(assetFiles, "assets")
	if err != nil {
		return nil, fmt.Errorf("read assets: %w", err)
	}
	for _, entry := range entries {
		content, err := assetFiles.ReadFile("assets/" + entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read assets: %w", err)
		}
		sum := sha256.Sum256(content)
		ext := path.Ext(entry.Name())
		file := strings.TrimSuffix(entry.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		all.addresses[entry.Name()], all.content[file] = "/assets/"+file, content
	}
	return all, nil
}

// address is where a file lies.
func (a *assets) address(name string) (string, error) {
	address, known := a.addresses[name]
	if !known {
		return "", fmt.Errorf("there is no asset %s", name)
	}
	return address, nil
}

func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file := r.PathValue("file")
	content, known := a.content[file]
	if !known {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(file)))
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Write(content) //nolint:errcheck // the browser is gone
}
