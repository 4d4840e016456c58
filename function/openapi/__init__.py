"""The building blocks of `/openapi.json`: OpenAPI 3.1 for the very models that are loaded."""
