// The gateway as a container app, with a Prometheus beside each replica: replicas cannot be reached
// one by one from outside, so each is scraped from within and its metrics are written to the managed
// Prometheus.
param suffix string
param location string
param tags object
param identityId string
param identityClientId string
param subnetId string
param workspaceName string
param insightsName string
param metricsUrl string
param registryServer string
param storageName string
param shareName string
param vaultUri string
param redisSecret string
param gatewayImage string
param externalIngress bool

@description('Requests in flight that a replica should have, of those that Container Apps counts.')
param requestsPerReplica int = 100

// Runs until azd has pushed the gateway's; it knows neither the arguments nor the probes.
var isFirst = empty(gatewayImage)
var firstImage = 'mcr.microsoft.com/azuredocs/containerapps-helloworld:latest'
var image = isFirst ? firstImage : gatewayImage
var arguments = [ 'serve', '--config', '/etc/spillgate/spillgate.yaml' ]
var probes = [
  {
    type: 'Startup'
    httpGet: { path: '/readyz', port: 8081 }
    periodSeconds: 2
    timeoutSeconds: 2
    failureThreshold: 60
  }
  {
    type: 'Readiness'
    httpGet: { path: '/readyz', port: 8081 }
    periodSeconds: 3
    timeoutSeconds: 2
    failureThreshold: 2
  }
  {
    type: 'Liveness'
    httpGet: { path: '/healthz', port: 8081 }
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: workspaceName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource environment 'Microsoft.App/managedEnvironments@2025-01-01' = {
  name: 'cae-spillgate-${suffix}'
  location: location
  tags: tags
  properties: {
    zoneRedundant: true
    vnetConfiguration: { infrastructureSubnetId: subnetId, internal: !externalIngress }
    workloadProfiles: [ { name: 'Consumption', workloadProfileType: 'Consumption' } ]
    appLogsConfiguration: {
      destination: 'log-analytics'
      logAnalyticsConfiguration: {
        customerId: workspace.properties.customerId
        sharedKey: workspace.listKeys().primarySharedKey
      }
    }
  }
}

resource archive 'Microsoft.App/managedEnvironments/storages@2025-01-01' = {
  parent: environment
  name: 'archive'
  properties: {
    nfsAzureFile: {
      accessMode: 'ReadWrite'
      server: '${storageName}.file.${az.environment().suffixes.storage}'
      shareName: '/${storageName}/${shareName}'
    }
  }
}

resource app 'Microsoft.App/containerApps@2025-01-01' = {
  name: 'spillgate'
  location: location
  tags: union(tags, { 'azd-service-name': 'gateway' })
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identityId}': {} } }
  properties: {
    environmentId: environment.id
    workloadProfileName: 'Consumption'
    configuration: {
      activeRevisionsMode: 'Single'
      ingress: {
        external: true // of the environment; whether that is the internet or the network is said there
        targetPort: 8080
        transport: 'auto'
        allowInsecure: false
        // The admin API, within the environment alone.
        additionalPortMappings: [ { external: false, targetPort: 8081, exposedPort: 8081 } ]
      }
      registries: [ { server: registryServer, identity: identityId } ]
      secrets: [
        { name: 'config', value: loadTextContent('../spillgate.yaml') }
        {
          name: 'prometheus'
          value: replace(replace(loadTextContent('../prometheus.yml'), 'REMOTE_WRITE_URL', metricsUrl), 'CLIENT_ID', identityClientId)
        }
        { name: 'insights', value: insights.properties.ConnectionString }
        { name: 'redis-url', keyVaultUrl: '${vaultUri}secrets/${redisSecret}', identity: identityId }
        { name: 'admin-key', keyVaultUrl: '${vaultUri}secrets/admin-key', identity: identityId }
        { name: 'search-team-key', keyVaultUrl: '${vaultUri}secrets/search-team-key', identity: identityId }
      ]
    }
    template: {
      // drain_lag_s and drain_s of spillgate.yaml, and 15 s to close; 600 is the most there is.
      terminationGracePeriodSeconds: 600
      containers: [
        {
          name: 'gateway'
          image: image
          args: isFirst ? [] : arguments
          resources: { cpu: json('1.0'), memory: '2Gi' }
          env: [ { name: 'AZURE_CLIENT_ID', value: identityClientId } ]
          probes: isFirst ? [] : probes
          volumeMounts: [
            { volumeName: 'config', mountPath: '/etc/spillgate' }
            { volumeName: 'secrets', mountPath: '/etc/spillgate-secrets' }
            { volumeName: 'data', mountPath: '/var/lib/spillgate' }
          ]
        }
        {
          name: 'prometheus'
          image: 'docker.io/prom/prometheus:v3.13.3'
          args: [
            '--config.file=/etc/prometheus/prometheus.yml'
            '--agent'
            '--storage.agent.path=/prometheus'
          ]
          resources: { cpu: json('0.25'), memory: '0.5Gi' }
          volumeMounts: [
            { volumeName: 'prometheus', mountPath: '/etc/prometheus' }
            { volumeName: 'wal', mountPath: '/prometheus' }
          ]
        }
      ]
      scale: {
        minReplicas: 2
        maxReplicas: 20
        rules: [
          {
            name: 'requests'
            http: { metadata: { concurrentRequests: '${requestsPerReplica}' } }
          }
          {
            name: 'cpu'
            custom: { type: 'cpu', metadata: { type: 'Utilization', value: '70' } }
          }
        ]
      }
      volumes: [
        {
          name: 'config'
          storageType: 'Secret'
          secrets: [ { secretRef: 'config', path: 'spillgate.yaml' } ]
        }
        {
          name: 'secrets'
          storageType: 'Secret'
          secrets: [
            { secretRef: 'redis-url', path: 'redis-url' }
            { secretRef: 'admin-key', path: 'admin-key' }
            { secretRef: 'search-team-key', path: 'search-team-key' }
            { secretRef: 'insights', path: 'insights' }
          ]
        }
        {
          name: 'prometheus'
          storageType: 'Secret'
          secrets: [ { secretRef: 'prometheus', path: 'prometheus.yml' } ]
        }
        { name: 'data', storageType: 'NfsAzureFile', storageName: archive.name }
        { name: 'wal', storageType: 'EmptyDir' }
      ]
    }
  }
}

output url string = 'https://${app.properties.configuration.ingress.fqdn}'
