"""What all networks share: heads, losses, training by Lightning, checkpoints, export."""
