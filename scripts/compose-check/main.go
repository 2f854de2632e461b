// Loads compose files with compose's own loader, which names wrong keys and broken references; then looks for what the
// loader does not care about: floating image tags, published ports on all interfaces, containers that keep privileges.
// Usage: go run . FILE…
package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

func main() {
	project, err := load(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "compose-check:", err)
		os.Exit(1)
	}
	var problems []string
	for _, service := range project.Services {
		problems = append(problems, habits(service)...)
	}
	slices.Sort(problems)
	for _, problem := range problems {
		fmt.Fprintln(os.Stderr, "compose-check:", problem)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
	fmt.Printf("compose-check: %d services, %d volumes: fine\n", len(project.Services), len(project.Volumes))
}

func load(files []string) (*types.Project, error) {
	options, err := cli.NewProjectOptions(files, cli.WithOsEnv, cli.WithDotEnv, cli.WithInterpolation(true), cli.WithProfiles([]string{"*"}))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(context.Background())
}

func habits(service types.ServiceConfig) []string {
	var problems []string
	complain := func(format string, arguments ...any) {
		problems = append(problems, fmt.Sprintf("service `%s`: ", service.Name)+fmt.Sprintf(format, arguments...))
	}
	if tag := service.Image[strings.LastIndex(service.Image, "/")+1:]; service.Build == nil && (!strings.Contains(tag, ":") || strings.HasSuffix(tag, ":latest")) {
		complain("the image `%s` has no exact tag", service.Image)
	}
	for _, port := range service.Ports {
		if port.HostIP != "127.0.0.1" {
			complain("port %s is published on all interfaces", port.Published)
		}
	}
	if !slices.Contains(service.CapDrop, "ALL") {
		complain("keeps capabilities: `cap_drop: [ALL]`")
	}
	if !slices.Contains(service.SecurityOpt, "no-new-privileges:true") {
		complain("may gain privileges: `no-new-privileges:true`")
	}
	for _, volume := range service.Volumes {
		if volume.Type != types.VolumeTypeBind {
			continue
		}
		if !volume.ReadOnly {
			complain("may write to `%s`", volume.Source)
		}
		// A missing source would become an empty folder without a word.
		if _, err := os.Stat(volume.Source); err != nil {
			complain("`%s` does not exist", volume.Source)
		}
	}
	return problems
}
