// Reads a Dockerfile with BuildKit's own parser and linter, and its .dockerignore with Docker's own matcher; then prints the
// files that the build would be sent, one a line, for whoever wants to see whether they are enough.
// Usage: go run . FOLDER
package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

func main() {
	if err := check(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "image-check:", err)
		os.Exit(1)
	}
}

func check(folder string) error {
	text, err := os.ReadFile(filepath.Join(folder, "Dockerfile"))
	if err != nil {
		return err
	}
	tree, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return err
	}
	var warnings []string
	for _, warning := range tree.Warnings {
		warnings = append(warnings, warning.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, description, url, message string, _ []parser.Range) {
		warnings = append(warnings, rule+": "+message)
	}})
	stages, _, err := instructions.Parse(tree.AST, lint)
	if err != nil {
		return err
	}
	if len(warnings) > 0 {
		return fmt.Errorf("%s", strings.Join(warnings, "\n"))
	}
	files, err := sent(folder)
	if err != nil {
		return err
	}
	return copied(stages, files)
}

// What .dockerignore leaves.
func sent(folder string) ([]string, error) {
	reader, err := os.Open(filepath.Join(folder, ".dockerignore"))
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	patterns, err := ignorefile.ReadAll(reader)
	if err != nil {
		return nil, err
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, err
	}
	var files []string
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(folder, path)
		if entry.IsDir() {
			// Large, and never sent: not worth walking through.
			if entry.Name() == "target" || entry.Name() == ".git" || entry.Name() == ".services" {
				return fs.SkipDir
			}
			return nil
		}
		ignored, err := matcher.MatchesOrParentMatches(name)
		if err == nil && !ignored {
			files = append(files, name)
			fmt.Println(name)
		}
		return err
	})
	return files, err
}

// What a stage copies from the sent files has to be among them, and what it copies from another has to be a stage.
func copied(stages []instructions.Stage, files []string) error {
	names := map[string]bool{}
	for _, stage := range stages {
		for _, command := range stage.Commands {
			instruction, is := command.(*instructions.CopyCommand)
			if !is {
				continue
			}
			if instruction.From != "" {
				if !names[strings.ToLower(instruction.From)] {
					return fmt.Errorf("`COPY --from=%s`: no stage before has this name", instruction.From)
				}
				continue
			}
			for _, source := range instruction.SourcePaths {
				found := source == "."
				for _, file := range files {
					found = found || file == source || strings.HasPrefix(file, strings.TrimSuffix(source, "/")+"/")
				}
				if !found {
					return fmt.Errorf("`COPY %s`: .dockerignore keeps it away, or there is none", source)
				}
			}
		}
		names[strings.ToLower(stage.Name)] = true
	}
	if user := lastUser(stages[len(stages)-1]); !strings.HasPrefix(user, "65532") {
		return fmt.Errorf("the image runs as `%s`", user)
	}
	return nil
}

func lastUser(stage instructions.Stage) string {
	user := "root"
	for _, command := range stage.Commands {
		if instruction, is := command.(*instructions.UserCommand); is {
			user = instruction.User
		}
	}
	return user
}
