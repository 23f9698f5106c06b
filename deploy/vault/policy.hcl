path "secret/data/api-gateway/*" {
  capabilities = ["read"]
}
