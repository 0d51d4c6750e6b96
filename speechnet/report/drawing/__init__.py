"""What figures are drawn with, and pictures that aren't part of a report's figures."""
