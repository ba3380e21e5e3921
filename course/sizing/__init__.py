"""The arithmetic of addresses, one page for each way in which AKS gives them to nodes and pods."""
