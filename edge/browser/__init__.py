"""The function in a browser, or in Node: Python by Pyodide, and ONNX Runtime's build for the web.

`page/` has the JavaScript that starts it and hands it requests; `convert.bundle.browser` writes the
folder in which a web server finds all of it.
"""
