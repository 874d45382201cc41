"""The Pulumi CLI with its Python language host, and its provider plugins: found, fetched, built or doubled."""
