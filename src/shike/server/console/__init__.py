"""The console: what people see of Shike, rendered here, alive in the browser, without a build step or the internet.

A page is four files of one name and nothing else; take them away and the page is gone:

    pages/NAME.py         its `PAGE` and its `ROUTES`: plain async functions from an `Ask` to a `Reply`
    templates/NAME.html   what it looks like
    words/NAME.toml       what it says, in English and Chinese
    static/NAME.js        only where it has a behaviour of its own

`visit` is who looks, and how they like it; `page` what a page and its routes are; `render` makes HTML; `face` tells the
door how browsers say who they are, `signins` keeps what they are let in by, `entrance` lets them in; `live` reads once
for all who look, and tells them.
"""
