"""Pictures drawn by hand as SVG: scales, frames and marks; no fonts, no scripts, no library."""
