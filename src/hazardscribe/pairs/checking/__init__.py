"""Looks over pairs before they are trained on, and changes nothing: `check`, its findings, a page.

check("pairs/").write("report.html")
"""
