//go:build tools

// Package tools names the command that localkube builds, so that go mod tidy keeps it.
package tools

import (
	_ "github.com/versity/versitygw/cmd/versitygw"
)
