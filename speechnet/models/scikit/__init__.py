"""What the models of scikit-learn share: pipelines, searches, files."""
