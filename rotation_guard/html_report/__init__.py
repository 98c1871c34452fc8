"""The report as one HTML page that needs no network: data in, text out, in a command or in a function.

`page.ReportPage` is the data, and `render.render_page` makes the text of it.
"""
