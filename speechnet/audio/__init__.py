"""From a file to mono samples, or to the reason why it is excluded.

Here goes all that reads sound and measures its samples; nothing that knows labels or features.
"""
