// Command shoot looks at pages of a running dashboard: it writes a picture of each,
// wide and narrow, light and dark, and says what is wrong with them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/nuzantara/ciclo/internal/browser"
)

func main() {
	base := flag.String("url", "http://127.0.0.1:8080", "the orchestrator's address")
	token := flag.String("token", "", "an API token, to sign in with")
	out := flag.String("out", "shots", "the folder for the pictures")
	paths := flag.String("paths", "/", "the pages, with commas between")
	quick := flag.Bool("quick", false, "only 1280 px, light")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	wrong, err := run(ctx, *base, *token, *out, strings.Split(*paths, ","), *quick)
	stop()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	case wrong > 0:
		os.Exit(1)
	}
}

func run(ctx context.Context, base, token, out string, paths []string, quick bool) (wrong int, err error) {
	if err := os.MkdirAll(out, 0o755); err != nil { //nolint:gosec // pictures for anybody
		return 0, err
	}
	b, err := browser.Start(ctx)
	if err != nil {
		return 0, err
	}
	defer b.Close()
	screens := []browser.Screen{{Width: 1280}, {Width: 360}, {Width: 1280, Dark: true}, {Width: 360, Dark: true}}
	if quick {
		screens = screens[:1]
	}
	for _, screen := range screens {
		n, err := look(b, base, token, out, paths, screen)
		wrong += n
		if err != nil {
			return wrong, err
		}
	}
	return wrong, nil
}

func look(b *browser.Browser, base, token, out string, paths []string, screen browser.Screen) (wrong int, err error) {
	t, err := b.Open(screen)
	if err != nil {
		return 0, err
	}
	defer t.Close()
	if token != "" {
		if err := t.SignIn(base, token); err != nil {
			return 0, fmt.Errorf("sign in: %w", err)
		}
	}
	for _, path := range paths {
		if err := t.Go(base + path); err != nil {
			return wrong, fmt.Errorf("go to %s: %w", path, err)
		}
		picture, err := t.Picture() // before the focus goes through the page
		if err != nil {
			return wrong, fmt.Errorf("picture of %s: %w", path, err)
		}
		seen, err := t.Look(base)
		if err != nil {
			return wrong, fmt.Errorf("look at %s: %w", path, err)
		}
		file := filepath.Join(out, File(path, screen))
		if err := os.WriteFile(file, picture, 0o644); err != nil { //nolint:gosec // pictures for anybody
			return wrong, err
		}
		fmt.Printf("%s, %s: “%s”, %d kB, %s\n", path, screen, seen.Title, seen.Bytes/1000, file)
		for kind, all := range map[string][]string{"console": seen.Console, "outside": seen.Outside, "barrier": seen.Barriers} {
			for _, one := range all {
				wrong++
				fmt.Printf("  %s: %s\n", kind, one)
			}
		}
	}
	return wrong, nil
}

// File is what a page's picture is called.
func File(path string, screen browser.Screen) string {
	name := strings.Trim(strings.NewReplacer("/", "-", "?", "-", "=", "-", "&", "-").Replace(path), "-")
	if name == "" {
		name = "overview"
	}
	scheme := "light"
	if screen.Dark {
		scheme = "dark"
	}
	return fmt.Sprintf("%s-%d-%s.png", name, screen.Width, scheme)
}
