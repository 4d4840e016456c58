"""The bundles of both homes, Lambda's and a device's, on emulated processors: equal answers."""
