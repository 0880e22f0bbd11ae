"""What a study leaves for the client: findings, tables, page, workbook, document and deck."""
