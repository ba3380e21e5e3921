"""One file for each way in which AKS gives addresses to pods."""
