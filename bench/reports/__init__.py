"""Reports: results and session logs as text, charts and HTML pages."""
