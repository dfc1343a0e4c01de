package cmd

import (
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	commit := []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "787a9af4c1d2e3f405162738495a6b7c8d9e0f10"}, {Key: "vcs.time", Value: "2026-11-25T02:00:00Z"}}
	changed := append(commit[:3:3], debug.BuildSetting{Key: "vcs.modified", Value: "true"})
	for _, c := range []struct {
		version  string
		settings []debug.BuildSetting
		want     string
	}{
		{"v1.2.3", commit, "v1.2.3"},
		{"v1.2.3-rc.1", nil, "v1.2.3-rc.1"},
		{"v1.2.3+dirty", changed, "v1.2.3+dirty"},
		{"", nil, "unreleased"},
		{"(devel)", nil, "unreleased"},
		{"(devel)", commit, "unreleased (commit 787a9af of 2026-11-25)"},
		{"(devel)", changed, "unreleased (commit 787a9af of 2026-11-25, with changes)"},
		{"v0.0.0-20261125020000-787a9af4c1d2", commit, "unreleased (commit 787a9af of 2026-11-25)"},
		{"v1.2.4-0.20261125020000-787a9af4c1d2+dirty", changed, "unreleased (commit 787a9af of 2026-11-25, with changes)"},
	} {
		info := &debug.BuildInfo{Settings: c.settings}
		info.Main.Version = c.version
		if got := versionOf(info); got != c.want {
			t.Errorf("%s: got %q, want %q", c.version, got, c.want)
		}
	}
	if got := versionOf(nil); got != "unreleased" {
		t.Errorf("without build information: got %q", got)
	}
}
