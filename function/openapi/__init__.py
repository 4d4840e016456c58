"""OpenAPI 3.1 for the very models that are loaded, and for every route that the app has."""
