// Package deploy checks what the example connectors are deployed with, and the one that "vantiqdev new" writes: that image,
// Kubernetes manifest, Vantiq installation and source type of each agree with each other. It has tests only, and a module of
// its own for their YAML.
package deploy
