// A network of the gateway's own: file shares by NFS are reached from a network alone.
param suffix string
param location string
param tags object

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: 'vnet-spillgate-${suffix}'
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [ '10.80.0.0/16' ] }
    subnets: [
      {
        name: 'apps'
        properties: {
          addressPrefix: '10.80.0.0/24'
          delegations: [
            { name: 'apps', properties: { serviceName: 'Microsoft.App/environments' } }
          ]
          serviceEndpoints: [ { service: 'Microsoft.Storage' } ]
        }
      }
    ]
  }
}

output appsSubnetId string = '${network.id}/subnets/apps'
