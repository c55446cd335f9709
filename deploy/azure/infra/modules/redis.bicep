// Azure Managed Redis with search. Search asks for one endpoint (EnterpriseCluster) and for no
// eviction, and can only be chosen when the database is made.
//
// There is no access key: the gateway signs in with a token of its identity (`redis.auth`).
param name string
param location string
param tags object
param principalId string
param vaultName string

@description('Balanced, Memory or Compute Optimized; search is not to be had on Flash.')
param sku string = 'Balanced_B1'

resource redis 'Microsoft.Cache/redisEnterprise@2025-04-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: sku }
  properties: { minimumTlsVersion: '1.2', highAvailability: 'Enabled' }
}

resource database 'Microsoft.Cache/redisEnterprise/databases@2025-04-01' = {
  parent: redis
  name: 'default'
  properties: {
    clientProtocol: 'Encrypted'
    port: 10000
    clusteringPolicy: 'EnterpriseCluster'
    evictionPolicy: 'NoEviction'
    modules: [ { name: 'RediSearch' } ]
    persistence: { aofEnabled: true, aofFrequency: '1s' }
    accessKeysAuthentication: 'Disabled'
  }
}

resource access 'Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments@2025-04-01' = {
  parent: database
  name: 'gateway'
  properties: { accessPolicyName: 'default', user: { objectId: principalId } }
}

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: vaultName
}

resource url 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {
  parent: vault
  name: 'redis-url'
  properties: {
    value: 'rediss://${redis.properties.hostName}:10000' // no secret, but a file like the others
  }
}

output secretName string = url.name
