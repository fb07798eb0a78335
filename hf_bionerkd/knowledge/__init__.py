"""What knowledge bases say: concept identifiers, their names, and the articles they are associated with."""
