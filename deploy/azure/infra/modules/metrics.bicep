// The right to write metrics, and where to.
param name string
param principalId string

// Monitoring Metrics Publisher
var role = '3913510d-42f4-4e42-8a64-420c390055eb'

resource endpoint 'Microsoft.Insights/dataCollectionEndpoints@2023-03-11' existing = {
  name: name
}

resource rule 'Microsoft.Insights/dataCollectionRules@2023-03-11' existing = {
  name: name
}

resource writes 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(rule.id, principalId, role)
  scope: rule
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
  }
}

output url string = '${endpoint.properties.metricsIngestion.endpoint}/dataCollectionRules/${rule.properties.immutableId}/streams/Microsoft-PrometheusMetrics/api/v1/write?api-version=2023-04-24'
