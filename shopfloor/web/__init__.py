"""The chat page and its files: plain HTML, CSS and ES modules, served by :mod:`shopfloor.http.pages` without a build step."""
