"""The demo: record or upload speech in the browser, and see what the models of a run predict.

It keeps nothing and sends nothing anywhere. What a stranger on the network could misuse is refused
before Gradio sees it.
"""
