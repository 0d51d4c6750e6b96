"""From a file to mono samples."""
