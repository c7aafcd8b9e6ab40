"""What a data factory is made of: its objects, how they refer to each other, and its template."""
