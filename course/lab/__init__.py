"""The live lab: clusters built out of Linux network namespaces. For now, whether it can run."""
