"""From recordings to features: recipe, worker processes, cache. No extractor lives here."""
