package cmd

import (
	"fmt"
	"regexp"
	"runtime/debug"
)

// pseudoVersion matches a version that Go made from a commit without a tag.
var pseudoVersion = regexp.MustCompile(`[-.]\d{14}-[0-9a-f]{12}(\+|$)`)

// version returns the version of this program.
func version() string {
	info, _ := debug.ReadBuildInfo()
	return versionOf(info)
}

// versionOf returns the version of the module, or "unreleased" with the commit
// if it is known.
func versionOf(info *debug.BuildInfo) string {
	if info == nil {
		return "unreleased"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" && !pseudoVersion.MatchString(v) {
		return v
	}
	vcs := map[string]string{}
	for _, s := range info.Settings {
		vcs[s.Key] = s.Value
	}
	commit, date := vcs["vcs.revision"], vcs["vcs.time"]
	if len(commit) < 7 || len(date) < len("2006-01-02") {
		return "unreleased"
	}
	changed := ""
	if vcs["vcs.modified"] == "true" {
		changed = ", with changes"
	}
	return fmt.Sprintf("unreleased (commit %s of %s%s)", commit[:7], date[:len("2006-01-02")], changed)
}
