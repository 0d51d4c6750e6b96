"""What commands do: run an experiment, score it again, recognise with it; and the run folder."""
