"""Every table of the warehouse and of the mart, declared once: one file for each package that writes them."""
