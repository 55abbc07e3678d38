"""Reports: from rows to tables, figures and the page. Here stand the names of what is written and of what is read."""

from pathlib import Path

PAGE, FAILURES, LEDGER, TABLES, FIGURES = "index.html", "failures.csv", "ledger.csv", "tables", "figures"
AUDIT, CLAIMS = "audit.csv", "claims.csv"
PAPERS = Path(__file__).parent / "papers"  # the layout and the numbers of each paper that is regenerated
