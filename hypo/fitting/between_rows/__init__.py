"""What a formula does between the rows: whether it is defined there, its poles, and aliases of its waves."""
