// The gateway on Azure Container Apps, with all that it works with. Azure OpenAI resources are there
// already: it is only given the right to call them.
targetScope = 'subscription'

@description('Name of the environment; part of most names.')
@minLength(1)
@maxLength(20)
param environmentName string

param location string

@description('The owner of the admin API: 16 characters or more.')
@secure()
@minLength(16)
param adminKey string

@description('The seeded tenant\'s key, from `spillgate key new`.')
@secure()
param searchTeamKey string

@description('Object id of who looks at Grafana as an administrator; empty: nobody yet.')
param operatorId string = ''

@description('Set by azd when it has built the image; empty at the first deployment.')
param gatewayImage string = ''

@description('Azure OpenAI resources that the gateway calls: {subscriptionId, resourceGroup, name}.')
param openAiResources array = []

@description('Whether the data plane is reached from outside of the virtual network.')
param externalIngress bool = false

var tags = { 'azd-env-name': environmentName }
var suffix = uniqueString(subscription().id, environmentName, location)
var metricsName = 'amw-spillgate-${suffix}'

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: { name: 'id-spillgate-${suffix}', location: location, tags: tags }
}

module network 'modules/network.bicep' = {
  name: 'network'
  scope: group
  params: { suffix: suffix, location: location, tags: tags }
}

module monitor 'modules/monitor.bicep' = {
  name: 'monitor'
  scope: group
  params: {
    suffix: suffix
    location: location
    tags: tags
    operatorId: operatorId
    metricsName: metricsName
  }
}

// A metrics workspace makes an endpoint and a rule of its own name, in a resource group of its own.
module metrics 'modules/metrics.bicep' = {
  name: 'metrics'
  scope: resourceGroup('MA_${metricsName}_${location}_managed')
  params: { name: metricsName, principalId: identity.outputs.principalId }
  dependsOn: [ monitor ]
}

module registry 'modules/registry.bicep' = {
  name: 'registry'
  scope: group
  params: {
    name: 'cr${suffix}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'st${suffix}'
    location: location
    tags: tags
    subnetId: network.outputs.appsSubnetId
  }
}

module vault 'modules/keyvault.bicep' = {
  name: 'keyvault'
  scope: group
  params: {
    name: 'kv-${suffix}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    adminKey: adminKey
    searchTeamKey: searchTeamKey
  }
}

module redis 'modules/redis.bicep' = {
  name: 'redis'
  scope: group
  params: {
    name: 'redis-${suffix}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    vaultName: vault.outputs.name
  }
}

module calls 'modules/openai-role.bicep' = [for each in openAiResources: {
  name: 'openai-${each.name}'
  scope: resourceGroup(each.subscriptionId, each.resourceGroup)
  params: { accountName: each.name, principalId: identity.outputs.principalId }
}]

module app 'modules/aca.bicep' = {
  name: 'gateway'
  scope: group
  params: {
    suffix: suffix
    location: location
    tags: tags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    subnetId: network.outputs.appsSubnetId
    workspaceName: monitor.outputs.workspaceName
    insightsName: monitor.outputs.insightsName
    metricsUrl: metrics.outputs.url
    registryServer: registry.outputs.server
    storageName: storage.outputs.name
    shareName: storage.outputs.shareName
    vaultUri: vault.outputs.uri
    redisSecret: redis.outputs.secretName
    gatewayImage: gatewayImage
    externalIngress: externalIngress
  }
}

output AZURE_CONTAINER_REGISTRY_ENDPOINT string = registry.outputs.server
output SPILLGATE_URL string = app.outputs.url
output GRAFANA_URL string = monitor.outputs.grafanaUrl
