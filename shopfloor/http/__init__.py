"""The HTTP surface: routes, guards and problem documents. :mod:`shopfloor.server` puts them together."""
