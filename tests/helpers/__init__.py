"""What several tests share: corpora, faults, runs and browsers."""
