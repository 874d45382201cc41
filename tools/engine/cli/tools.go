//go:build tools

// Package tools keeps the engine's module among the requirements: nothing else here imports it.
package tools

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
