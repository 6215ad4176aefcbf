"""Calls to the outside, guarded: http(s) only, to the address that was checked, without redirects, with time-outs and
bounds. For HTTP tasks, and for whatever else sends something out.
"""
