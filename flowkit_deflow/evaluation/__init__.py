"""What degradations are judged by: residual statistics, tables, plots."""
