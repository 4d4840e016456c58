"""Models by distances to known points: neighbours, centres, embeddings."""
