"""What figures are drawn with, and pictures that are no part of a report's figures."""
