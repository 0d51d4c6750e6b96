"""From files to the feature matrix: in parallel, cached by content."""
