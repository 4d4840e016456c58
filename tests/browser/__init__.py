"""Folders of `package --target browser`, in the browser that visitors have."""
