// Loads compose files with compose's own loader, which names wrong keys and broken references; then looks for what the
// loader does not care about: floating image tags, published ports on all interfaces, containers that keep privileges, two
// containers of one profile that want the same port. Every profile is loaded by itself, then all of them together.
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
	project, err := load(os.Args[1:], "*")
	if err != nil {
		fmt.Fprintln(os.Stderr, "compose-check:", err)
		os.Exit(1)
	}
	var profiles, problems []string
	for _, service := range project.Services {
		problems = append(problems, habits(service)...)
		profiles = append(profiles, service.Profiles...)
	}
	slices.Sort(profiles)
	profiles = slices.Compact(profiles)
	for _, profile := range profiles {
		part, err := load(os.Args[1:], profile)
		if err != nil {
			problems = append(problems, fmt.Sprintf("profile `%s`: %v", profile, err))
			continue
		}
		problems = append(problems, clashes(profile, part)...)
	}
	slices.Sort(problems)
	for _, problem := range problems {
		fmt.Fprintln(os.Stderr, "compose-check:", problem)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
	fmt.Printf("compose-check: %d services, %d volumes, profiles %s: fine\n", len(project.Services), len(project.Volumes), strings.Join(profiles, ", "))
}

func load(files []string, profile string) (*types.Project, error) {
	options, err := cli.NewProjectOptions(files, cli.WithOsEnv, cli.WithDotEnv, cli.WithInterpolation(true), cli.WithProfiles([]string{profile}))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(context.Background())
}

// Two containers that are up together cannot have the same port, nor the same service's replicas one without a range.
func clashes(profile string, project *types.Project) []string {
	var problems []string
	taken := map[string]string{}
	for _, service := range project.Services {
		for _, port := range service.Ports {
			if other, there := taken[port.Published]; there {
				problems = append(problems, fmt.Sprintf("profile `%s`: `%s` and `%s` both publish port %s", profile, other, service.Name, port.Published))
			}
			taken[port.Published] = service.Name
			if replicas := service.GetScale(); replicas > 1 && !strings.Contains(port.Published, "-") {
				problems = append(problems, fmt.Sprintf("profile `%s`: %d of `%s` cannot share port %s", profile, replicas, service.Name, port.Published))
			}
		}
	}
	return problems
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
